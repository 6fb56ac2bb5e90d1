import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

/** Where `make dev` finds a running server. */
const server = process.env.MUSTER_URL ?? 'http://127.0.0.1:8088'

/** What the server puts into the page, put in by the development server. */
function placeholders(): Plugin {
  return {
    name: 'placeholders',
    apply: 'serve',
    transformIndexHtml: (html) => html.replaceAll('__BASE__', '/').replaceAll('__NONCE__', ''),
  }
}

export default defineConfig({
  // Relative: the server says with <base> where it is reached.
  base: './',
  plugins: [react(), placeholders()],
  resolve: { alias: { '~': new URL('./src', import.meta.url).pathname } },
  build: {
    target: 'es2022',
    // No data: URLs: the policy of the page allows none.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: 'manifest.json',
    sourcemap: false,
  },
  worker: { format: 'es' },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': {
        target: server,
        changeOrigin: true,
        // Muster speaks with pages of its own origin only.
        headers: { origin: server },
      },
    },
  },
  test: {
    projects: [
      { extends: true, test: { name: 'unit', environment: 'jsdom', include: ['src/**/*.test.{ts,tsx}'] } },
      {
        extends: true,
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['e2e/**/*.e2e.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: true,
          maxWorkers: 2,
        },
      },
      { extends: true, test: { name: 'screenshots', environment: 'node', include: ['screenshots/**/*.shots.ts'] } },
      { extends: true, test: { name: 'bench', environment: 'node', include: ['bench/**/*.bench.ts'], fileParallelism: false, hookTimeout: 60_000 } },
    ],
  },
})
