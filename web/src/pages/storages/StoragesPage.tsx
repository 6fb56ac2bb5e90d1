/** All storages of all remotes; what several nodes share stands once. */
import { useSearch } from '@tanstack/react-router'
import type { Storage } from '~/api/types'
import type { ChipsOf } from '~/query/Chips'
import { ListPage } from '~/query/ListPage'
import { useQuestion } from '~/query/question'
import { useLiveRows } from '~/table/sources'
import { COLUMNS } from './columns'

const CHIPS: readonly ChipsOf[] = [
  { key: 'status', from: 'state', usual: ['available'] },
  { key: 'type', from: 'type', usual: [], word: (plugin) => plugin },
]

export default function StoragesPage() {
  const question = useQuestion('storages', useSearch({ from: '/inside/storages' }))
  const source = useLiveRows('storages', question.q, question.sort)
  return (
    <ListPage
      list="storages"
      title="Storage"
      one="storage"
      question={question}
      source={source}
      columns={COLUMNS}
      chips={CHIPS}
      nameOf={(row: Storage) => row.name}
      to={(row) => {
        const node = row.shared === true ? '' : `?node=${encodeURIComponent(row.node)}`
        return `/storages/${row.remote_id}/${encodeURIComponent(row.name)}${node}`
      }}
      stale={(row) => row.freshness !== 'live'}
    />
  )
}
