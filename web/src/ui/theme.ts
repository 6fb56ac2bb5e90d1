/** Colours and shapes of the console. Colour always comes with a word: nobody has to tell red from green. */
import { createTheme, type MantineColorsTuple } from '@mantine/core'

const teal: MantineColorsTuple = [
  '#e8f7f4',
  '#d3ece7',
  '#a6d9cf',
  '#76c5b6',
  '#4eb4a1',
  '#33a993',
  '#118070',
  '#0f766e',
  '#0b655e',
  '#06524c',
]

export const theme = createTheme({
  primaryColor: 'muster',
  primaryShade: { light: 7, dark: 6 },
  colors: { muster: teal },
  autoContrast: true,
  // Where black and white are read equally well: whichever is read better is taken.
  luminanceThreshold: 0.18,
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", "DejaVu Sans", sans-serif, "Noto Color Emoji"',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", "Liberation Mono", monospace',
  headings: { fontWeight: '600', sizes: { h1: { fontSize: '1.35rem' }, h2: { fontSize: '1.1rem' }, h3: { fontSize: '1rem' } } },
  components: {
    Anchor: { defaultProps: { inherit: true } },
    Text: { defaultProps: { size: 'sm' } },
    Tooltip: { defaultProps: { withArrow: true, multiline: true, maw: 420, openDelay: 250, events: { hover: true, focus: true, touch: true } } },
    Modal: { defaultProps: { centered: true, closeButtonProps: { 'aria-label': 'Close' }, overlayProps: { backgroundOpacity: 0.4 } } },
    Table: { defaultProps: { verticalSpacing: 6 } },
  },
})
