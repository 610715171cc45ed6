/** Names of the files in an asset image: which are allowed, and in which order they lie. */

/**
 * Why a name must not be used, or `undefined` when it may. A name is a relative path with `/`; nothing that one of the systems could
 * read as a way out of a folder is allowed.
 */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'it is empty';
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  if (/[\x00-\x1f\x7f\ufffd]/.test(name)) return 'it has characters that cannot be printed';
  if (/[\\:]/.test(name)) return 'it has a backslash or a colon';
  const parts = name.split('/');
  if (parts.includes('')) return 'it begins or ends with a slash, or has two in a row';
  if (parts.some((part) => part === '.' || part === '..')) return 'it has a part . or ..';
  return undefined;
}

/** The names that occur earlier, or that are a folder of another name: by index. */
export function clashingNames(names: readonly string[]): number[] {
  const folders = new Set(names.flatMap(foldersOf));
  const seen = new Set<string>();
  return names.flatMap((name, index) => {
    const clash = seen.has(name) || folders.has(name);
    seen.add(name);
    return clash ? [index] : [];
  });
}

/** `a` and `a/b` of `a/b/c`. */
function foldersOf(name: string): string[] {
  const parts = name.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** By extension, then by the rest of the name, each by code points: the order of Espressif's generator (spiffs_assets_gen.py). */
export function compareNames(a: string, b: string): number {
  const [baseA, extensionA] = splitExtension(a);
  const [baseB, extensionB] = splitExtension(b);
  return compareCodePoints(extensionA, extensionB) || compareCodePoints(baseA, baseB);
}

/** Dots at the start of a file's name begin no extension. */
function splitExtension(name: string): [base: string, extension: string] {
  const dot = name.lastIndexOf('.');
  const start = name.lastIndexOf('/') + 1;
  return /[^.]/.test(name.slice(start, Math.max(start, dot))) ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
}

/** JavaScript compares UTF-16 units, of which those beyond U+FFFF sort too early. */
function compareCodePoints(a: string, b: string): number {
  const [pointsA, pointsB] = [[...a], [...b]];
  const at = pointsA.findIndex((point, index) => point !== pointsB[index]);
  if (at < 0) return pointsA.length - pointsB.length;
  return (pointsA[at]?.codePointAt(0) ?? -1) - (pointsB[at]?.codePointAt(0) ?? -1);
}
