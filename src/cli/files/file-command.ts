/**
 * What the commands that only work on files have in common (`partitions`, `nvs`, `otadata`, `image`, `data`, `release`): one line on
 * standard error for what is refused, `FILE:LINE: code: message`, one document with `--json`, and no output that is half there.
 */
import { concatBytes } from '#formats/bytes.ts';
import { FormatError, type FormatErrorPlace, type FormatIssue } from '#formats/format-error.ts';
import { addressText } from '#messages/units.ts';
import { createReadStream } from 'node:fs';
import { mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type CommandContext } from '../context.ts';
import { InputError } from '../input-error.ts';

/** Bytes from which a file is larger than any flash. */
export const MAX_FILE = 0x1000_0000;

/**
 * The bytes of a file that the user named.
 *
 * @throws {InputError} `file-missing`, `file-unreadable`, `file-too-large`, with the file as its place.
 */
export async function readInput(path: string): Promise<Uint8Array> {
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    // In pieces, because a pipe or a device has no size and may have no end.
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > MAX_FILE) break;
    }
    if (length <= MAX_FILE) return concatBytes(...chunks);
  } catch (error) {
    throw fileError(path, error as NodeJS.ErrnoException);
  }
  throw new InputError('file-too-large', `${path} is larger than any flash`, { place: { file: path } });
}

/** A failure of the file system at a file that the user named. */
export const fileError = (path: string, { code }: NodeJS.ErrnoException): InputError =>
  code === 'ENOENT'
    ? new InputError('file-missing', `There is no ${path}`, { place: { file: path } })
    : new InputError('file-unreadable', `${path} cannot be read (${code ?? 'unknown cause'})`, {
        place: { file: path },
      });

/** Runs a reader of `formats` on the content of `file`, if it is of one, which becomes the place of what it refuses. */
export function inFile<Value>(file: string | undefined, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError) || file === undefined || error.place.file !== undefined) throw error;
    throw new FormatError(error.code, error.message, { place: { ...error.place, file }, cause: error });
  }
}

export interface OutputFile {
  path: string;
  content: Uint8Array | string;
  /** Only its owner may read it. */
  secret?: boolean;
  /** A file that is there already is not replaced: it may be the only one. */
  fresh?: boolean;
}

/**
 * Writes all of the files or none: each under another name first, then all are renamed. Folders are made. A device or a pipe, such as
 * `/dev/stdout`, is written into, when all files are ready.
 *
 * @throws {InputError} `file-exists`, `file-twice`, `file-unwritable`.
 */
export async function writeOutputs(files: readonly OutputFile[]): Promise<void> {
  refuseSamePaths(files);
  const ready: (OutputTarget & { content: OutputFile['content'] })[] = [];
  let current = '';
  for (const { path, fresh } of files) if (fresh) await refuseExisting(path);
  try {
    for (const { path, content, secret } of files) {
      await mkdir(dirname((current = path)), { recursive: true });
      const target = await targetOf(path);
      ready.push({ ...target, content });
      if (target.part !== undefined) await writeFile(target.part, content, secret ? { mode: 0o600 } : {});
    }
    for (const { file, part, content } of ready) {
      current = file;
      await (part === undefined ? writeFile(file, content) : rename(part, file));
    }
  } catch (error) {
    for (const { part } of ready) if (part !== undefined) await rm(part, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    throw new InputError('file-unwritable', `${current} cannot be written (${code ?? message})`, {
      place: { file: current },
    });
  }
}

interface OutputTarget {
  file: string;
  /** The name under which it is written first; a device or a pipe has none. */
  part?: string;
}

function refuseSamePaths(files: readonly OutputFile[]): void {
  const paths = files.map(({ path }) => resolve(path));
  const twice = paths.findIndex((path, index) => paths.indexOf(path) !== index);
  const { path: file } = files[twice] ?? {};
  if (file !== undefined) throw new InputError('file-twice', `Two outputs would be ${file}`, { place: { file } });
}

/** Of a link the file that it points to: replacing the link itself would put a file in place of `/dev/stdout`. */
async function targetOf(path: string): Promise<OutputTarget> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new Error('it is a folder');
  if (found && !found.isFile()) return { file: path };
  const file = found ? await realpath(path) : path;
  return { file, part: `${file}.${process.pid}.part` };
}

/** Whether there is something of that name; what cannot be looked at counts as missing and is refused when it is written. */
export const fileExists = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined)) !== undefined;

async function refuseExisting(path: string): Promise<void> {
  if (!(await fileExists(path))) return;
  throw new InputError('file-exists', `${path} is there already and is not replaced`, { place: { file: path } });
}

/** Wraps what a file command does: what it refuses is said in one line, with exit code 2. */
export const fileAction =
  <Args extends unknown[]>({ output }: CommandContext, action: (...args: Args) => Promise<void> | void) =>
  async (...args: Args): Promise<void> => {
    try {
      await action(...args);
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof InputError)) throw error;
      output.complain(refusalLine(error.code, error.message, error.place));
      throw new Refused();
    }
  };

/** Warnings about a file: on standard error, so that what goes to standard output can be taken as it is. */
export function warn(warnings: readonly FormatIssue[], file: string, { output }: CommandContext): void {
  for (const { code, message, place } of warnings) {
    output.complain(`warning: ${refusalLine(code, message, { ...place, file })}`);
  }
}

/** It has been said already; only the exit code 2 is left. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

/** `FILE:LINE: code: message (column N)`; without what is not known, and with an offset in hex in place of a line. */
export function refusalLine(code: string, message: string, { file, line, column, offset }: FormatErrorPlace): string {
  const at = line ?? (offset === undefined ? undefined : addressText(offset));
  const place = [file, at].filter((part) => part !== undefined).join(':');
  const where = column === undefined ? '' : ` (column ${column})`;
  return `${place === '' ? '' : `${place}: `}${code}: ${message}${where}`;
}
