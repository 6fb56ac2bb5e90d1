/** Hands a text to the browser to be kept as a file. */
export function save(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([`${text}\n`], { type: 'text/plain' }))
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  // A browser may read it later than at once.
  setTimeout(() => URL.revokeObjectURL(address), 1000)
}
