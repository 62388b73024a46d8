/** Characters as keys of a US keyboard, which is what a guest takes the keyboard for until it is told otherwise. */

export interface Stroke {
  code: string;
  shift: boolean;
}

const PLAIN = "`1234567890-=[]\\;',./";
const SHIFTED = '~!@#$%^&*()_+{}|:"<>?';
const CODES = [
  'Backquote',
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 0].map((digit) => `Digit${digit}`),
  'Minus',
  'Equal',
  'BracketLeft',
  'BracketRight',
  'Backslash',
  'Semicolon',
  'Quote',
  'Comma',
  'Period',
  'Slash',
];

const strokes = new Map<string, Stroke>([
  [' ', { code: 'Space', shift: false }],
  ['\n', { code: 'Enter', shift: false }],
  ['\t', { code: 'Tab', shift: false }],
]);
for (const letter of 'abcdefghijklmnopqrstuvwxyz') {
  const code = `Key${letter.toUpperCase()}`;
  strokes.set(letter, { code, shift: false });
  strokes.set(letter.toUpperCase(), { code, shift: true });
}
CODES.forEach((code, index) => {
  strokes.set(PLAIN.charAt(index), { code, shift: false });
  strokes.set(SHIFTED.charAt(index), { code, shift: true });
});

/** The keys that make a text; characters that are on no key are left out. */
export const strokesOf = (text: string): Stroke[] => [...text].flatMap((character) => strokes.get(character) ?? []);
