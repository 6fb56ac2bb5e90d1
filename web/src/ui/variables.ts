/** Colours of small text that Mantine makes too pale to be read by everybody: these have 4.5 to 1 on any background here. */
import type { CSSVariablesResolver } from '@mantine/core'

export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-error': '#b42318',
    '--mantine-color-dimmed': 'var(--mantine-color-gray-7)',
    '--mantine-color-placeholder': '#5f6770',
  },
  dark: {
    '--mantine-color-error': '#ff8a80',
    '--mantine-color-dimmed': 'var(--mantine-color-dark-1)',
    '--mantine-color-placeholder': 'var(--mantine-color-dark-1)',
  },
})
