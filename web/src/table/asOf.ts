/** [AsOf]: when what a table shows was so, while nobody tells what changes since. */
import { createContext } from 'react'

/** Milliseconds since 1970 by the server's clock; `undefined`: it is so now. */
export const AsOf = createContext<number | undefined>(undefined)
