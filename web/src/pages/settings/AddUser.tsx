/** Adds a user: name, first password, roles. */
import { Input, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, Refusal, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import { GrantsEditor } from '~/pages/account/Grants'
import { faultOf, type Grant } from '~/pages/account/roles'
import { Form } from './Form'
import { NewPassword } from './NewPassword'

export function AddUser({ close }: { close: () => void }) {
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [grants, setGrants] = useState<Grant[]>([{ role: 'viewer', scope: { kind: 'all' } }])
  const add = useOnce(
    (body: { name: string; password: string; grants: Grant[] }, key) =>
      unwrap(api.POST('/api/v1/users', { body, params: { header: { 'Idempotency-Key': key } } })),
    async () => {
      await queries.invalidateQueries({ queryKey: ['users'] })
      close()
    },
  )
  const refusal = add.error instanceof Refusal ? add.error : undefined
  const taken = refusal?.code === 'name_taken' ? refusal.message : undefined
  const weak = refusal?.code === 'weak_password' ? refusal.message : undefined
  return (
    <Form
      title="Add a user"
      act="Add"
      error={taken || weak ? null : add.error}
      pending={add.isPending}
      ready={faultOf(grants) === undefined}
      submit={() => add.mutate({ name: name.trim(), password, grants })}
      close={close}
    >
      <TextInput
        data-autofocus
        label="Name"
        description="What they sign in with: letters, digits and - _ . @ +"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        maxLength={64}
        error={taken}
        required
      />
      <NewPassword value={password} change={setPassword} error={weak} />
      <Input.Wrapper label="May" labelElement="div">
        <GrantsEditor value={grants} change={setGrants} />
      </Input.Wrapper>
    </Form>
  )
}
