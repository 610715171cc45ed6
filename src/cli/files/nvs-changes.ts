/** The changes that `nvs set` names on the command line. */
import { FormatError } from '#formats/format-error.ts';
import { type NvsKey } from '#formats/nvs/nvs-merge.ts';
import { readCsvValue } from '#formats/nvs/nvs-csv-values.ts';
import { INTEGER_TYPES, type NvsEntry } from '#formats/nvs/nvs.ts';
import { readInput } from './file-command.ts';

/** The types, by the encoding of the CSV that reads their value. */
const ENCODINGS = new Map([
  ...[...INTEGER_TYPES.values(), 'string', 'base64'].map((name) => [name, name] as const),
  ['hex', 'hex2bin'],
  ['file', 'binary'],
]);
const ASSIGNMENT = new RegExp(`^([^:]*):(.*?):(${[...ENCODINGS.keys()].join('|')})=(.*)$`, 's');

/**
 * @param assignments `NAMESPACE:KEY:TYPE=VALUE`; a value may hold `:` and `=`, and of type `file` is a path.
 * @param keys `NAMESPACE:KEY`. An assignment that stands among them, behind the option, is taken for what it is.
 * @throws {FormatError} `nvs-bad-change`, and what `readCsvValue` throws. No message holds a value, which may be secret.
 * @throws {InputError} as `readInput`.
 */
export async function readNvsChanges(
  assignments: readonly string[],
  keys: readonly string[],
): Promise<{ set: NvsEntry[]; delete: NvsKey[] }> {
  const set: NvsEntry[] = [];
  for (const text of [...assignments, ...keys.filter((key) => ASSIGNMENT.test(key))]) set.push(await readEntry(text));
  return { set, delete: keys.filter((key) => !ASSIGNMENT.test(key)).map(readKey) };
}

async function readEntry(text: string): Promise<NvsEntry> {
  const [, namespace, key, type, value] = ASSIGNMENT.exec(text) ?? [];
  if (namespace === undefined || key === undefined || type === undefined || value === undefined) {
    const types = [...ENCODINGS.keys()].join(', ');
    const shown = text.split('=')[0] ?? '';
    throw new FormatError('nvs-bad-change', `"${shown}" is not NAMESPACE:KEY:TYPE=VALUE with TYPE ${types}`);
  }
  const content = type === 'file' ? await readInput(value) : value;
  const place = { file: `${namespace}:${key}` };
  const typed = readCsvValue(ENCODINGS.get(type) ?? type, content, {
    place: () => place,
    warn: (_, message) => {
      throw new FormatError('nvs-bad-change', message, { place });
    },
  });
  return { namespace, key, ...typed };
}

function readKey(text: string): NvsKey {
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1) {
    throw new FormatError('nvs-bad-change', `"${text}" is not NAMESPACE:KEY`);
  }
  return { namespace: text.slice(0, colon), key: text.slice(colon + 1) };
}
