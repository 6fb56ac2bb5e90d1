/** One API token in a list, and its end. */
import { Badge, Button, Text } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, unwrap } from '~/api/client'
import { useOnce } from '~/api/once'
import type { Schemas } from '~/api/types'
import { useNow } from '~/ui/now'
import { Row } from '~/ui/Rows'
import { Sure } from '~/ui/Sure'
import { Ago, instant } from '~/ui/Time'
import { Grants } from './Grants'

/** `whose`: with the name of its owner. */
export function TokenItem({ token, whose }: { token: Schemas['Token']; whose?: boolean }) {
  const [asked, setAsked] = useState(false)
  const queries = useQueryClient()
  const now = useNow(60_000)
  const expires = instant(token.expires)
  const expired = expires !== undefined && expires <= now
  const end = useOnce(
    (_: void, key) =>
      unwrap(api.DELETE('/api/v1/tokens/{id}', { params: { path: { id: token.id }, header: { 'Idempotency-Key': key } } })),
    async () => {
      await queries.invalidateQueries({ queryKey: ['tokens'] })
      setAsked(false)
    },
  )
  return (
    <Row
      title={
        <>
          <span className="name">{token.name}</span>
          {whose && <span className="quiet name">of {token.user}</span>}
          {expired && (
            <Badge size="sm" variant="light" color="gray" tt="none">
              expired
            </Badge>
          )}
        </>
      }
      actions={
        <Button size="compact-sm" variant="default" aria-label={`End the token ${token.name}`} onClick={() => setAsked(true)}>
          End
        </Button>
      }
    >
      <span>
        <Grants grants={token.grants} />
      </span>
      <span>
        made <Ago at={token.created} />
      </span>
      <span>{token.last_used ? <>last used <Ago at={token.last_used} /></> : 'never used'}</span>
      <span>{token.expires ? <>{expired ? 'expired' : 'expires'} <Ago at={token.expires} /></> : 'never expires'}</span>
      {asked && (
        <Sure title={`End the token ${token.name}`} act="End it" change={end} close={() => setAsked(false)}>
          <Text size="sm">
            Programs that use <b className="name">{token.name}</b>
            {whose ? ` of ${token.user}` : ''} are refused from then on. It cannot be brought back: they need another one.
          </Text>
        </Sure>
      )}
    </Row>
  )
}
