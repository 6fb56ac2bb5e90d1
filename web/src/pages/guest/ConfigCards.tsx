/** A guest's configuration, in words; as it is written, on demand. */
import { Button, Collapse, Group, Skeleton, Stack, Table, Text, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { Copy } from '~/ui/Id'
import { Empty } from '~/ui/Empty'
import type { Part } from '~/ui/part'
import { Ago } from '~/ui/Time'
import { type Card, cards, type Config, type Kind, notes, text } from './config'
import classes from './guest.module.css'

interface ConfigCardsProps {
  kind: Kind
  part: Part<Config>
  /** What the HA manager says, in words. */
  ha: string | undefined
  looked: boolean
  /** Whether the page has said already why nothing newer is known. */
  said: boolean
}

export function ConfigCards({ kind, part, ha, looked, said }: ConfigCardsProps) {
  const [raw, shown] = useDisclosure(false)
  const { seen, error } = part
  if (!seen) {
    return (
      <Section>
        {error ? (
          <Empty title="The configuration was never read">{error.sentence}</Empty>
        ) : looked ? (
          <Empty title="The configuration was never read" />
        ) : (
          <Skeleton height={220} />
        )}
      </Section>
    )
  }
  const made = cards(kind, seen.value)
  const said_ = notes(seen.value)
  return (
    <Section>
      {error && !said && (
        <Text size="sm" className="quiet" mb="xs">
          As read <Ago at={seen.at} />. Not newer: {error.sentence}
        </Text>
      )}
      <div className={classes.cards}>
        {said_ && (
          <section className={classes.card} aria-label="Notes">
            <Title order={3}>Notes</Title>
            <div className={`${classes.notes} name`}>{said_}</div>
          </section>
        )}
        {made.map((card) => (
          <CardView key={card.id} card={card} />
        ))}
        <section className={classes.card} aria-label="High availability">
          <Title order={3}>High availability</Title>
          <Text size="sm">{ha}</Text>
        </section>
      </div>
      <Button size="compact-sm" variant="subtle" color="gray" onClick={shown.toggle} aria-expanded={raw}>
        As it is written
      </Button>
      <Collapse expanded={raw}>
        <Raw config={seen.value} />
      </Collapse>
    </Section>
  )
}

function Section({ children }: { children: React.ReactNode }) {
  return (
    <section aria-label="Configuration">
      <Title order={2} mb="xs">
        Configuration
      </Title>
      {children}
    </section>
  )
}

function CardView({ card }: { card: Card }) {
  return (
    <section className={classes.card} aria-label={card.title}>
      <Title order={3}>{card.title}</Title>
      <dl className={classes.facts}>
        {card.facts.map((fact) => (
          <Pair key={fact.key} name={fact.name}>
            <bdi>{fact.value}</bdi>
            {fact.more && <bdi className={classes.more}>{fact.more}</bdi>}
          </Pair>
        ))}
      </dl>
    </section>
  )
}

function Pair({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

function Raw({ config }: { config: Config }) {
  const rows = Object.entries(config)
    .filter(([, value]) => value != null)
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
  const all = rows.map(([key, value]) => `${key}: ${text(value)}`).join('\n')
  return (
    <Stack gap={4} pt="xs">
      <Group gap={4}>
        <Text size="sm" className="quiet">
          All values, with Proxmox VE’s own names
        </Text>
        <Copy text={all} what="all values" />
      </Group>
      <Table.ScrollContainer minWidth={320}>
        <Table aria-label="All values">
          <Table.Tbody>
            {rows.map(([key, value]) => (
              <Table.Tr key={key}>
                <Table.Th scope="row" className="mono" w={160}>
                  {key}
                </Table.Th>
                <Table.Td className="mono" style={{ whiteSpace: 'pre-wrap' }}>
                  {text(value)}
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Stack>
  )
}
