import { invalid } from '#libs/core';

/** The value of an option that takes a whole number. @throws ResimError INVALID_ARGUMENT naming the option */
export function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw invalid(option, text, 'a whole number from 0 on');
  return Number(text);
}
