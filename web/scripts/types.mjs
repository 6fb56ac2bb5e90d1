// Makes src/api/schema.d.ts from the server's OpenAPI document.
import { readFile, writeFile } from 'node:fs/promises'
import openapi, { astToString } from 'openapi-typescript'

const from = new URL('../../docs/openapi.json', import.meta.url)
const to = new URL('../src/api/schema.d.ts', import.meta.url)
const made = `// Made from docs/openapi.json.\n${astToString(await openapi(from, { alphabetize: true }))}`
const had = await readFile(to, 'utf8').catch(() => '')
if (had !== made) await writeFile(to, made)
