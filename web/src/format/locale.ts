/**
 * Language of figures and dates: the reader's own English (en-US, en-IE, …), otherwise British English, because the words of the page are English.
 */
export const locale: string =
  typeof navigator === 'undefined' ? 'en-GB' : (navigator.languages.find((tag) => tag.startsWith('en')) ?? 'en-GB');

/** Stands for a value that is not there; the reason belongs beside it or in its title. */
export const missing = '–';
