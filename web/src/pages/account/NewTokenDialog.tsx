/** Makes an API token: what it is for, what it may do, until when; then shows its secret, this once. */
import { Group, Modal, Radio, Select, Stack, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import { useSession } from '~/shell/session'
import { Button } from '~/ui/Button'
import { now } from '~/ui/now'
import { ProblemView } from '~/ui/Problem'
import { ShownOnce } from '~/ui/ShownOnce'
import { useFocusBack } from '~/ui/useFocusBack'
import { type Expiry, EXPIRIES, expiryAt } from './expiry'
import { Grants, GrantsEditor } from './Grants'
import { faultOf, type Grant } from './roles'

interface Wish {
  name: string
  grants?: Grant[]
  expires: string | null
}

export function NewTokenDialog({ close }: { close: () => void }) {
  useFocusBack()
  const { grants: own } = useSession()
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [less, setLess] = useState(false)
  const [grants, setGrants] = useState<Grant[]>([{ role: 'viewer', scope: own.find(({ scope }) => scope.kind === 'remote')?.scope ?? { kind: 'all' } }])
  const [expiry, setExpiry] = useState<Expiry>('90')
  const [day, setDay] = useState('')
  const [noDay, setNoDay] = useState(false)
  const make = useOnce(
    (wish: Wish, key) => unwrap(api.POST('/api/v1/tokens', { body: wish, params: { header: { 'Idempotency-Key': key } } })),
    () => queries.invalidateQueries({ queryKey: ['tokens'] }),
  )
  const fault = less ? faultOf(grants) : undefined
  if (make.data) {
    return (
      <ShownOnce title={`The token ${make.data.token.name}`} text={make.data.secret} label="The token" kept="I have kept it" done={close}>
        Muster keeps only a hash of it. Take it to where it is needed now; if it is lost, end this token and make another.
      </ShownOnce>
    )
  }
  return (
    <Modal opened onClose={close} title="Make an API token" closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          const expires = expiryAt(expiry, day, now())
          setNoDay(expires === undefined)
          if (expires !== undefined && !fault) make.mutate({ name: name.trim(), expires, ...(less ? { grants } : {}) })
        }}
      >
        <Stack>
          <TextInput
            data-autofocus
            label="Name"
            description="What it is for: monitoring, backup script, …"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={64}
            required
          />
          <Radio.Group label="It may do" value={less ? 'less' : 'all'} onChange={(value) => setLess(value === 'less')}>
            <Stack gap={6} mt={4}>
              <Radio value="all" label={<>as much as I may (at present: <Grants grants={own} />)</>} />
              <Radio value="less" label="less" />
            </Stack>
          </Radio.Group>
          {less && <GrantsEditor value={grants} change={setGrants} />}
          <Group align="flex-end" grow preventGrowOverflow={false}>
            <Select
              label="It ends"
              data={EXPIRIES.map(({ value, label }) => ({ value, label }))}
              value={expiry}
              onChange={(value) => setExpiry(value ?? '90')}
              allowDeselect={false}
            />
            {expiry === 'date' && (
              <TextInput
                type="date"
                label="Day"
                value={day}
                onChange={(event) => {
                  setDay(event.currentTarget.value)
                  setNoDay(false)
                }}
                error={noDay ? 'A day that is to come.' : undefined}
                required
              />
            )}
          </Group>
          {make.error && <ProblemView error={make.error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={make.isPending} disabled={fault !== undefined}>
              Make it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}
