/** A message for people, made from a code: what happened, what state the board is in, the one thing to do. */
export interface Message {
  what: string;
  state?: string;
  todo?: string;
}

/** What a text may use of the code it belongs to. */
export interface Values {
  /** A number, or 0. */
  n: (name: string) => number;
  /** A text or number as text, or nothing. */
  t: (name: string) => string;
}

export const valuesOf = (values: Readonly<Record<string, string | number>>): Values => ({
  n: (name) => Number(values[name] ?? 0),
  t: (name) => String(values[name] ?? ''),
});
