/** Chooses the reader's own English (en-US, en-IE, …), otherwise British English, because the words of the page are English. */
export function chooseLocale(languages: readonly string[]): string {
  return languages.find((tag) => tag.startsWith('en') && isLanguageTag(tag)) ?? 'en-GB';
}

/** A browser started under a POSIX locale reports tags such as `en-US@posix`, which `Intl` refuses. */
function isLanguageTag(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** Language of figures and dates. */
export const locale: string = chooseLocale(typeof navigator === 'undefined' ? [] : navigator.languages);

/** Stands for a value that is not there; the reason belongs beside it or in its title. */
export const missing = '–';

/**
 * Gives libraries that read `navigator.language` themselves a tag that `Intl` takes. uPlot formats with it while it is loaded, and a browser under a POSIX locale
 * (`en-US@posix`) would show no page at all. Runs before the first page is loaded.
 */
export function repairNavigatorLanguage(): void {
  if (isLanguageTag(navigator.language)) return;
  Object.defineProperty(navigator, 'language', { value: locale, configurable: true });
}
