/** Small texts around a plan and its run. */
import { AppSubtype, PartitionType } from '#formats/partition-table.ts';
import { bytesText } from '#messages/units.ts';
import { type BootVerdict } from '#workflows/boot-watch.ts';
import { type BoardState } from '#workflows/board-state.ts';
import { type FlashPlan } from '#workflows/flash-plan.ts';
import { type Notice, type PlanSubject } from '#workflows/plan-notices.ts';

/** The card that a notice belongs to. */
export type NoticePlace = 'release' | 'data' | 'wifi' | 'board' | 'plan';

const PLACES: Readonly<Record<PlanSubject, NoticePlace>> = {
  release: 'release',
  app: 'release',
  bootloader: 'release',
  data: 'data',
  wifi: 'wifi',
  nvs: 'wifi',
  chip: 'board',
  'partition-table': 'plan',
  otadata: 'plan',
  other: 'plan',
};

/** Those notices that stand in the given card. */
export const noticesAt = <Kind extends Notice>(notices: readonly Kind[] | undefined, place: NoticePlace): Kind[] =>
  (notices ?? []).filter(({ subject }) => PLACES[subject] === place);

/** `7.2 MiB, 2.9 MiB to send`; what has to be sent is left out while it is not known. */
export function writesText(total: number, toSend: number | undefined): string {
  if (toSend === undefined) return bytesText(total);
  if (toSend === 0) return `nothing: the board holds all ${bytesText(total)} of it already`;
  return `${bytesText(total)}, ${toSend >= total ? 'all' : bytesText(toSend)} to send`;
}

/** `Ordinary OTA would leave 1.94 MiB for app and data together; these two slots leave 3.88 MiB.` Nothing without two slots. */
export function gainText({ roles }: FlashPlan): string | undefined {
  if (!roles?.pa || !roles.pb) return undefined;
  const both = roles.pa.size + roles.pb.size;
  // Ordinary OTA keeps two copies of everything, so each slot would have to hold app and data.
  const ordinary = Math.min(roles.pa.size, roles.pb.size);
  return `Ordinary OTA would leave ${bytesText(ordinary)} for app and data together; these two slots leave ${bytesText(both)}.`;
}

/** The one line at the end. */
export function verdictText(verdict: BootVerdict, plan: FlashPlan | undefined, version: string | undefined): string {
  const running = ['Running', version].filter(Boolean).join(' ');
  if (verdict.address !== undefined) {
    return `${running}, on ${plan?.wifi?.ssid ?? 'the network'} as ${verdict.address}`;
  }
  const how = {
    'boot-check': `${running}: the release’s sign of life was seen`,
    'loaded-app': running,
    quiet: 'Probably running: five seconds without a crash or a restart',
    unseen: 'Written and verified. Whether it runs cannot be seen: its app has no USB port',
  }[verdict.by];
  return plan?.wifi ? `${how}. It did not say whether it is on the network` : how;
}

/** What runs on the board now: `voice_box 2.3.1 in PA`. */
export function runsText({ runs, slots, table, unknown }: BoardState): string {
  if (!table) return unknown ? 'not blank, but without a partition table' : 'blank';
  if (runs === undefined) return 'nothing that could start';
  const subtype = runs === 'factory' ? AppSubtype.Factory : AppSubtype.Ota0 + runs;
  const slot = slots.find(({ partition }) => partition.type === PartitionType.App && partition.subtype === subtype);
  const { projectName, version } = slot?.description ?? {};
  const place = runs === 'factory' ? 'factory' : (['PA', 'PB'][runs] ?? `ota_${runs}`);
  return `runs ${[projectName || 'an app', version].filter(Boolean).join(' ')} from ${place}`;
}
