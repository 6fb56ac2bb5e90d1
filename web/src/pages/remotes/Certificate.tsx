/** A certificate as people compare it: fingerprint first, then whom it is for, who signed it and for how long. */
import { Group, Text } from '@mantine/core'
import type { Schemas } from '~/api/types'
import { exact } from '~/format/format'
import { Facts } from '~/ui/Facts'
import { Copy } from '~/ui/Id'
import { instant } from '~/ui/Time'
import { useNow } from '~/ui/now'
import { pairs } from './decide'
import classes from './remotes.module.css'

export type CertificateFacts = Schemas['Certificate']

export function Fingerprint({ text, beside }: { text: string; beside?: string | undefined }) {
  return (
    <span className={classes.fingerprint}>
      <span className="mono">
        {pairs(text, beside).map(({ text: pair, changed }, index) => (
          <span key={index}>
            {index > 0 && <wbr />}
            {index > 0 && ':'}
            {changed ? <mark className={classes.changed}>{pair}</mark> : pair}
          </span>
        ))}
      </span>
      <Copy text={text} what="fingerprint" />
    </span>
  )
}

export interface CertificateProps {
  certificate: CertificateFacts
  /** The fingerprint of another one that it is compared with. */
  beside?: string | undefined
  /** Its issuer is not the one that is trusted. */
  strange?: boolean
}

export function Certificate({ certificate, beside, strange = false }: CertificateProps) {
  return (
    <Facts
      inRows
      facts={[
        { name: 'SHA-256', value: <Fingerprint text={certificate.fingerprint} beside={beside} /> },
        { name: 'Subject', value: <span className="name">{certificate.subject}</span> },
        { name: 'Issuer', value: <Issuer certificate={certificate} strange={strange} /> },
        { name: 'Good for', value: <Names names={certificate.names ?? []} /> },
        { name: 'Valid', value: <Validity certificate={certificate} /> },
      ]}
    />
  )
}

function Issuer({ certificate, strange }: { certificate: CertificateFacts; strange: boolean }) {
  return (
    <span className="name">
      {strange ? <mark className={classes.changed}>{certificate.issuer}</mark> : certificate.issuer}
      {certificate.issuer === certificate.subject && <span className="quiet"> (signed by itself)</span>}
    </span>
  )
}

function Names({ names }: { names: string[] }) {
  if (names.length === 0) return <span className="quiet">no name at all</span>
  return <span className="name">{names.join(', ')}</span>
}

function Validity({ certificate }: { certificate: CertificateFacts }) {
  const now = useNow(60_000)
  const from = instant(certificate.not_before)
  const to = instant(certificate.not_after)
  const over = to !== undefined && to < now
  const early = from !== undefined && from > now
  return (
    <Group gap={6}>
      <span>
        {from === undefined ? 'from an unknown time' : exact(from)} to {to === undefined ? 'an unknown time' : exact(to)}
      </span>
      {over && <Text span c="var(--muster-bad)">expired</Text>}
      {early && <Text span c="var(--muster-bad)">not valid yet</Text>}
    </Group>
  )
}
