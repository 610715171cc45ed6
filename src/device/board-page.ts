/**
 * What the index page of a board says. Layout: `index_handler` of the two-step demo firmware; the first line and three `<br>` are always
 * there, each of the two parts only where the firmware finds its partition.
 */
import { toHex } from '#formats/bytes.ts';
import { SHOWN_BYTES } from '#formats/data/data-tag.ts';
import { type RunningSlot, slotOfLabel } from '#formats/ota-slots.ts';

export interface BoardPage {
  /** Absent where the page tells neither by the label of the app nor by that of the data. */
  running?: RunningSlot;
  project?: string;
  version?: string;
  /** Hex of what it shows of its data: up to ten bytes, cut at the first NUL. */
  shown?: string;
}

/** The firmware spells it "Partitoin"; one that was put right is taken too. */
const APP_PART =
  /<br><br><br>App Partit(?:oi|io)n: (?<label>[^<]*)<br>project: (?<project>[^]*?)<br>Version: (?<version>[^]*)$/;
const DATA_MARK = '<br><br>Data Partition: ';
/** The demo firmware knows `ota_0` and `ota_1` only; a product finds its slots by their types, whatever their labels. */
const DATA_PART = /^(?<label>[^<]{1,16})<br>data: (?<shown>[^]*)$/;
/** Neither part: an app without description in a table with other labels. */
const NO_PARTS = /^\*+ app \d+ \*+<br><br><br>$/;

/** @returns `undefined` for what is no such page. */
export function parseBoardPage(body: Uint8Array): BoardPage | undefined {
  const text = latin1(body);
  // The data end the page and are too short to hold the mark, which an app's version may.
  const mark = text.lastIndexOf(DATA_MARK);
  const data = mark < 0 ? undefined : DATA_PART.exec(text.slice(mark + DATA_MARK.length))?.groups;
  const app = APP_PART.exec(data ? text.slice(0, mark) : text)?.groups;
  if (!app && !data && !NO_PARTS.test(text)) return undefined;
  const running = app ? slotOfLabel(app['label'] ?? '') : runningBeside(data?.['label']);
  return {
    ...(running && { running }),
    ...(app && { project: fieldText(app['project']), version: fieldText(app['version']) }),
    ...(data && { shown: toHex(bytesOf(data['shown'] ?? '').subarray(0, SHOWN_BYTES)) }),
  };
}

/**
 * The slot that runs, by the label of the other one: that is `ota_1` beside `ota_0`, else `ota_0`. Beside the latter PB runs or the factory app;
 * for both the next download goes to PA.
 */
function runningBeside(label: string | undefined): RunningSlot | undefined {
  const other = label === undefined ? undefined : slotOfLabel(label);
  return other && (other === 'PB' ? 'PA' : 'PB');
}

/** One character a byte: what the page shows of the data is neither text nor escaped. */
function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Characters of project name and version: `esp_app_desc_t` of ESP-IDF. */
const FIELD_SIZE = 32;

/** More than the field can hold was not made by the firmware. */
const fieldText = (text = ''): string => UTF8.decode(bytesOf(text.slice(0, FIELD_SIZE)));

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

const UTF8 = new TextDecoder();
