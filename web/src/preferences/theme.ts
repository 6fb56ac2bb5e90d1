/** Dark or light: this browser's own memory first, so that no page flashes; then what the server remembers of the person. */
import { type MantineColorScheme, useMantineColorScheme } from '@mantine/core'
import { useCallback, useEffect } from 'react'
import { type Preferences, usePreference } from './preferences'

type Theme = NonNullable<Preferences['theme']>

const SCHEME: Record<Theme, MantineColorScheme> = { system: 'auto', light: 'light', dark: 'dark' }
const THEME: Record<MantineColorScheme, Theme> = { auto: 'system', light: 'light', dark: 'dark' }

/** Lets what the server remembers hold here. For the page's frame, once. */
export function useThemeFromServer(): void {
  const [theme] = usePreference('theme')
  const { setColorScheme } = useMantineColorScheme()
  useEffect(() => {
    if (theme) setColorScheme(SCHEME[theme])
  }, [theme, setColorScheme])
}

/** The colours chosen (`auto`: as the system is), and how to choose others: here at once, and for the person everywhere. */
export function useTheme(): [MantineColorScheme, (to: MantineColorScheme) => void] {
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const [, remember] = usePreference('theme')
  const choose = useCallback(
    (to: MantineColorScheme) => {
      setColorScheme(to)
      remember(THEME[to])
    },
    [setColorScheme, remember],
  )
  return [colorScheme, choose]
}
