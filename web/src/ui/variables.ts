/** Colours of small text that Mantine makes too pale to be read by everybody: these have 4.5 to 1 on any background here. */
import type { CSSVariablesResolver } from '@mantine/core'

export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-error': '#b42318',
    '--mantine-color-dimmed': 'var(--mantine-color-gray-7)',
    '--mantine-color-placeholder': '#5f6770',
    // Words on a pale ground of the same colour: badges, alerts.
    '--mantine-color-red-light-color': '#a61e16',
    '--mantine-color-yellow-light-color': '#7a4a00',
    '--mantine-color-orange-light-color': '#8a3d00',
    '--mantine-color-green-light-color': '#1a6330',
    '--mantine-color-blue-light-color': '#1a4f8f',
    '--mantine-color-gray-light-color': 'var(--mantine-color-gray-8)',
  },
  dark: {
    '--mantine-color-error': '#ff8a80',
    '--mantine-color-dimmed': 'var(--mantine-color-dark-1)',
    '--mantine-color-placeholder': 'var(--mantine-color-dark-1)',
  },
})
