/**
 * Blocks of boards that are measured, each in a file of the user's own until it is back: a command that is killed meanwhile loses none. What is
 * in such a file may be secret, so nobody else can read it.
 */
import { fromHex, toHex } from '#formats/bytes.ts';
import { type BlockStore, type SavedBlock } from '#workflows/probe-block.ts';
import { md5 } from '@noble/hashes/legacy.js';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import * as v from 'valibot';

const HexSchema = v.pipe(v.string(), v.regex(/^([0-9a-f]{2})*$/));
const DigestSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
const SizeSchema = v.pipe(v.number(), v.integer(), v.minValue(0));

const BlockSchema = v.pipe(
  v.object({
    mac: v.string(),
    offset: SizeSchema,
    size: SizeSchema,
    /** Nothing was there without it. */
    before: v.optional(HexSchema),
    /** MD5 of what was there. */
    digest: v.optional(DigestSchema),
    watched: v.array(
      v.object({
        label: v.string(),
        offset: SizeSchema,
        length: SizeSchema,
        tripwire: v.optional(v.object({ offset: SizeSchema, length: SizeSchema, digest: DigestSchema })),
      }),
    ),
  }),
  v.check(({ before, digest }) => before === undefined || toHex(md5(fromHex(before))) === digest),
);

/** `XDG_STATE_HOME`, or what the system has in its place: unlike a cache, what is there is not lost when the disk fills up. */
export function stateFolder(env: Readonly<Record<string, string>>): string {
  // Set to nothing they count as not set.
  const base = env['XDG_STATE_HOME'] || env['LOCALAPPDATA'] || join(homedir(), '.local', 'state');
  return join(base, 'twostep');
}

/** Synchronous within: a virtual board in modelled time waits for nothing else. */
export class BlockFiles implements BlockStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** `undefined` also where the file is damaged: nobody knows what was there then. */
  async load(mac: string): Promise<SavedBlock | undefined> {
    try {
      const { before, offset, size, watched } = v.parse(BlockSchema, JSON.parse(readFileSync(this.#path(mac), 'utf8')));
      return { mac, offset, size, watched, before: before === undefined ? undefined : fromHex(before) };
    } catch {
      return undefined;
    }
  }

  async hold(block: SavedBlock): Promise<boolean> {
    const { mac, before } = block;
    if (mac === undefined) return false;
    const kept = before && { before: toHex(before), digest: toHex(md5(before)) };
    try {
      writeSafely(this.#path(mac), `${JSON.stringify({ ...block, ...kept })}\n`);
      return true;
    } catch {
      // No such folder can be made, or the disk is full: measuring is as safe as the process then.
      return false;
    }
  }

  async release({ mac }: Pick<SavedBlock, 'mac'>): Promise<void> {
    if (mac === undefined) return;
    try {
      rmSync(this.#path(mac), { force: true });
    } catch {
      // The folder cannot be written. Should there be a file, the next session finds that its block is back.
    }
  }

  /** Lets the block go, with what was there in a file of its own. @returns its path; `undefined` when nothing was there. */
  async setAside({ mac, offset, before }: SavedBlock): Promise<string | undefined> {
    const path =
      before && mac !== undefined ? this.#writeAside(`${fileName(mac)}-0x${offset.toString(16)}`, before) : undefined;
    await this.release({ mac });
    return path;
  }

  /** Under a name of its own: what was set aside before is nobody's to overwrite. */
  #writeAside(name: string, bytes: Uint8Array): string {
    for (let count = 1; ; count++) {
      const path = join(this.#folder, `${name}${count > 1 ? `-${count}` : ''}.bin`);
      try {
        writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });
        return path;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  #path(mac: string): string {
    return join(this.#folder, `${fileName(mac)}.json`);
  }
}

const fileName = (mac: string): string => mac.replaceAll(':', '-');

/** Whole and on the disk when it has its name. */
function writeSafely(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
}
