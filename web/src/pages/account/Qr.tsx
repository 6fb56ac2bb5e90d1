/** A QR code, drawn here: the secret in it goes nowhere else. */
import { encode } from 'uqr'

/** Light modules around it, as readers want them. */
const BORDER = 4

export function qrPath(data: readonly (readonly boolean[])[]): string {
  let path = ''
  data.forEach((row, y) => {
    for (let x = 0; x < row.length; x += 1) {
      if (!row[x]) continue
      const from = x
      while (row[x + 1]) x += 1
      const wide = x - from + 1
      path += `M${from} ${y}h${wide}v1h-${wide}z`
    }
  })
  return path
}

export function Qr({ text, label }: { text: string; label: string }) {
  const { data, size } = encode(text, { ecc: 'M', border: BORDER })
  return (
    // Dark on light in any colours: readers want it so.
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${size} ${size}`}
      shapeRendering="crispEdges"
      width="100%"
      style={{ maxWidth: 232, display: 'block', borderRadius: 4 }}
    >
      <rect width={size} height={size} fill="#fff" />
      <path d={qrPath(data)} fill="#000" />
    </svg>
  )
}
