// After the build: lays a compressed copy beside every file that is worth it, and holds the first page to its bound.
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = new URL('../dist', import.meta.url).pathname
/** Of compressed script that the first page may load. */
const BOUND = 350 * 1024

const files = (await readdir(dist, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name))

const packed = new Map()
for (const file of files) {
  // What the server writes into is sent as it is.
  if (/\.(gz|br)$/.test(file) || file.endsWith('index.html')) continue
  const body = await readFile(file)
  const gzip = gzipSync(body, { level: 9 })
  const brotli = brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
  packed.set(file.slice(dist.length + 1), gzip.length)
  if (gzip.length < body.length * 0.9) await writeFile(`${file}.gz`, gzip)
  if (brotli.length < body.length * 0.9) await writeFile(`${file}.br`, brotli)
}

const manifest = JSON.parse(await readFile(join(dist, 'manifest.json'), 'utf8'))
const first = new Set()
/** What is loaded before anything is shown: the entry, and whatever it imports. */
const add = (name) => {
  const chunk = manifest[name]
  if (first.has(chunk.file)) return
  first.add(chunk.file)
  chunk.imports?.forEach(add)
}
Object.entries(manifest).forEach(([name, chunk]) => chunk.isEntry && add(name))
// The page that people land on.
Object.entries(manifest).forEach(([name, chunk]) => chunk.isDynamicEntry && /pages\/overview\//.test(name) && add(name))
const size = [...first].reduce((sum, file) => sum + (packed.get(file) ?? 0), 0)
console.log(`The first page loads ${(size / 1024).toFixed(0)} KiB of compressed script; ${BOUND / 1024} KiB is the bound.`)
if (size > BOUND) {
  for (const file of first) console.error(`  ${file}: ${packed.get(file)} bytes`)
  process.exit(1)
}
