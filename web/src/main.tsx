/** Where the console starts: styles, queries, router, and what happens when a session ends. */
import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './ui/base.css'

import { MantineProvider } from '@mantine/core'
import { Notifications } from '@mantine/notifications'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Refusal, whenEnded } from './api/client'
import { askAgain } from './live/again'
import { live } from './live/live'
import { makeRouter } from './router'
import { endSession } from './shell/ending'
import './shell/setup-link'
import { theme } from './ui/theme'
import { variables } from './ui/variables'

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5000,
      // Muster may be on this machine, or on a network without the internet: what the browser thinks of "online" says nothing.
      networkMode: 'always',
      // What the server has refused it refuses again; what had no answer may have one in a moment.
      retry: (failures, error) => failures < 2 && error instanceof Refusal && error.status === 0,
      refetchOnWindowFocus: true,
    },
    mutations: { networkMode: 'always' },
  },
})
const router = makeRouter(queries)

whenEnded(() => endSession(queries, router))
askAgain(live, queries)

const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? ''
// What keeps the page behind a dialog from scrolling makes a style of its own, and takes its nonce from here.
Object.assign(globalThis, { __webpack_nonce__: nonce })
const element = document.getElementById('root')
if (!element) throw new Error('The page has no #root')

createRoot(element).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queries}>
        <Notifications position="bottom-right" limit={4} />
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
)
