/** The worker's side of planning: keeps the bytes, recognises releases, makes plans. Everything that takes long on megabytes happens here. */
import { textUntilNul } from '#formats/bytes.ts';
import { DATA_HEADER_SIZE, isDataImage } from '#formats/data/data-image.ts';
import { FormatError } from '#formats/format-error.ts';
import { prepareRelease } from '#formats/release/make-release.ts';
import { baseName } from '#formats/release/paths.ts';
import { recogniseRelease } from '#formats/release/recognise.ts';
import { encodeReleaseFile } from '#formats/release/release-writer.ts';
import { type Release } from '#formats/release/release.ts';
import { encodeZip } from '#formats/zip.ts';
import { type DataFile } from '#workflows/app-and-data.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { planProvision } from '#workflows/provision-plan.ts';
import { blankBoard } from './blank-board.ts';
import { type Channel } from './channel.ts';
import { type PickedFile, readPicked, sourceText } from './pick-files.ts';
import {
  type DataSummary,
  type PackedRelease,
  type PlanAnswer,
  type PlannerCall,
  type PlannerReply,
  type PlannerRequest,
  type PlanWishes,
  type SentFailure,
} from './planner-messages.ts';
import { type ReleaseSummary, summarise } from './release-summary.ts';

/** As many bytes as the demo firmware shows of its data. */
const TAG_SIZE = 10;

/** Serves one planner over the channel. */
export function servePlanner(channel: Channel): void {
  new PlannerHost(channel);
}

class PlannerHost {
  readonly #channel: Channel;
  #release: Release | undefined;
  #data: DataFile | undefined;
  /** One after the other: a plan is made with the release that was taken before it. */
  #last: Promise<void> = Promise.resolve();

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.onmessage = ({ data }: MessageEvent<PlannerRequest>) => {
      this.#last = this.#last.then(() => this.#answer(data));
    };
  }

  async #answer({ id, ...call }: PlannerRequest): Promise<void> {
    try {
      const value = await this.#do(call);
      const moved = call.kind === 'plan' ? detached(value as PlanAnswer) : { value, transfer: [] };
      this.#channel.postMessage({ id, value: moved.value } satisfies PlannerReply, moved.transfer);
    } catch (error) {
      this.#channel.postMessage({ id, failure: sentFailure(error) } satisfies PlannerReply);
    }
  }

  async #do(call: PlannerCall): Promise<unknown> {
    switch (call.kind) {
      case 'release':
        return this.#takeRelease(call.files);
      case 'data':
        return this.#takeData(call.file);
      case 'plan':
        return this.#plan(call.board, call.wishes);
      case 'pack':
        return packed(call.files, call.data);
    }
  }

  async #takeRelease(picked: readonly PickedFile[]): Promise<ReleaseSummary> {
    const files = await readPicked(picked);
    const release = recogniseRelease(files);
    const summary = summarise(release, { source: sourceText(picked, files), files });
    this.#release = release;
    return summary;
  }

  async #takeData(file: File | undefined): Promise<DataSummary | undefined> {
    if (!file) {
      this.#data = undefined;
      return undefined;
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    this.#data = { name: file.name, bytes };
    const packed = isDataImage(bytes);
    const payload = packed ? bytes.subarray(DATA_HEADER_SIZE) : bytes;
    const tag = textUntilNul(payload.subarray(0, TAG_SIZE));
    return { name: file.name, size: payload.length, packed, tag: /^[\x20-\x7e]+$/.test(tag) ? tag : undefined };
  }

  #plan(board: BoardState | undefined, wishes: PlanWishes): PlanAnswer | undefined {
    const [build] = this.#release?.builds ?? [];
    if (!this.#release || !build) return undefined;
    const state = board ?? blankBoard(build);
    const options = this.#data ? { ...wishes, data: this.#data } : wishes;
    return { plan: planProvision(this.#release, state, options), preview: board === undefined };
  }
}

/** Stored, not compressed: it goes to a station that is near. */
async function packed(picked: readonly PickedFile[], data: File | undefined): Promise<PackedRelease> {
  const files = await readPicked(picked);
  const release = recogniseRelease(files);
  const name = `${[release.name, release.version].filter(Boolean).join('-')}.zip`;
  if (data) {
    const wish = { name: data.name, bytes: new Uint8Array(await data.arrayBuffer()), layout: 'raw' } as const;
    return { name, bytes: encodeReleaseFile(prepareRelease(release, { data: wish })) };
  }
  const [only, more] = files;
  if (only && !more) return { name: baseName(only.path), bytes: only.bytes.slice() };
  return { name, bytes: encodeZip(files, { level: 0 }) };
}

/** Each write with bytes of its own, which move instead of being copied: a view would take all of the file it looks at with it. */
function detached(answer: PlanAnswer | undefined): { value: PlanAnswer | undefined; transfer: Transferable[] } {
  if (!answer) return { value: undefined, transfer: [] };
  const writes = answer.plan.writes.map((write) => ({ ...write, data: write.data.slice() }));
  const plan: FlashPlan = { ...answer.plan, writes };
  return { value: { ...answer, plan }, transfer: writes.map(({ data }) => data.buffer) };
}

function sentFailure(error: unknown): SentFailure {
  if (error instanceof FormatError) {
    return { name: error.name, message: error.message, code: error.code, place: error.place };
  }
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: 'Error', message: String(error) };
}
