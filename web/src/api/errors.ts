/** Errors of calls. A `CallFailed` is an answer; a `ConnectionLost` means that none will come. */

interface ErrorData {
  error: number;
  errname: string;
  reason: string;
  extra: unknown;
}

export interface WireError {
  code: number;
  message: string;
  data?: ErrorData;
}

/** Error numbers that the page acts on. */
export const ENOENT = 2;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const ENOTAUTHENTICATED = 207;

const METHOD_NOT_FOUND = -32601;

export class ConnectionLost extends Error {}

export class CallFailed extends Error {
  readonly errno: number;
  readonly isUnknownMethod: boolean;
  /** What is wrong with single fields, by the end of their path: `path`, `memory`. */
  readonly fields: ReadonlyMap<string, string>;

  constructor(error: WireError) {
    super(plain(error.data?.reason ?? error.message));
    this.errno = error.data?.error ?? 0;
    this.isUnknownMethod = error.code === METHOD_NOT_FOUND;
    this.fields = new Map(problems(error.data?.extra));
  }

  /** What to show where a form has these fields: all that none of them will show. */
  beyond(shown: Iterable<string>): string | null {
    const there = new Set(shown);
    if (this.fields.size === 0) return this.message;
    const rest = [...this.fields].filter(([name]) => !there.has(name));
    return rest.length === 0 ? null : rest.map(([name, text]) => (name ? `${name}: ${text}` : text)).join('; ');
  }
}

/** The error that a job ended with, as that of a call. */
export function jobError(error: string | null, extra: unknown): CallFailed {
  const data = { error: 0, errname: '', reason: error ?? '', extra };
  return new CallFailed({ code: 0, message: '', data });
}

export function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function problems(extra: unknown): [string, string][] {
  if (!Array.isArray(extra)) return [];
  return extra
    .filter((item): item is [string | null, string] => Array.isArray(item) && typeof item[1] === 'string')
    .map(([attribute, text]) => [attribute?.split('.').at(-1) ?? '', text]);
}

/** An error text without the names in brackets that programs read. */
function plain(reason: string): string {
  return reason
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\[E[A-Z]+\] (?:None: )?/, '').replace(/^[a-z_]+(?:\.[A-Za-z_]+)*: /, ''))
    .join('; ');
}
