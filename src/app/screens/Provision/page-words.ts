/** The catalogue's texts name options of the command line; here the same things have names of fields. */
import { sentence } from '#messages/units.ts';
import { type ErrorMessage, errorMessage } from '#messages/error-message.ts';
import { type Message } from '#messages/message.ts';
import { noticeMessage } from '#messages/plan-messages.ts';
import { type Notice, type ObjectionCode, type WarningCode } from '#workflows/plan-notices.ts';

/** Longer ones first. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/Leave --partitions and --flash-header out/g, 'Leave partitions and flash header as they are'],
  [
    /Leave --partitions out to keep the table of the board/g,
    'Leave the partitions on automatic to keep the table of the board',
  ],
  [/--partitions two-slot/g, 'partitions “two slots”'],
  [/--partitions release/g, 'partitions “as in the release”'],
  [/--partitions/g, 'another partition table'],
  [/ ?\(--wifi-store none\)/g, ' (store “nowhere”)'],
  [
    /--flash-header size=detect; if the flash mode may be wrong, with mode=dio as well/g,
    'the flash header set to the real size; if the flash mode may be wrong, to DIO as well',
  ],
  [/--flash-header size=detect/g, 'flash header “real size”'],
  [/--flash-header repair/g, 'flash header “repair”'],
  [/Give the data with --data as well/g, 'Choose the data file too'],
  [/flash --signed writes it/g, 'the command line can write it (flash, signed)'],
  [/, or do without it, slowly: --no-stub/g, ''],
  [/use --before none/g, 'choose the reset “none” under More'],
  [/--baud 115200/g, 'speed 115200 under More'],
  [/Say it with --flash-size, such as 4MB/g, 'Choose it under More'],
  [/Look at its security state with identify: in/g, 'In'],
  [/console lines above say/g, 'boot log below says'],
  [/console lines above/g, 'boot log below'],
  [/running the same command again finishes it/g, 'writing again finishes it'],
  [/[Rr]un the same again/g, 'write again'],
  [/with the command that led to it/g, 'with what led to it'],
  [/See the README for the chips that are supported\./g, 'ESP32, S2, S3, C2, C3, C5, C6, C61, H2 and P4 are.'],
];

/** A text of the catalogue in the words of the page. */
export const pageText = (text: string): string =>
  WORDS.reduce((said, [pattern, words]) => said.replaceAll(pattern, words), text);

function pageMessage<Kind extends Message>(message: Kind): Kind {
  return {
    ...message,
    what: pageText(message.what),
    ...(message.state !== undefined && { state: sentence(pageText(message.state)) }),
    ...(message.todo !== undefined && { todo: sentence(pageText(message.todo)) }),
  };
}

/** What happened, what state the board is in, what to do; with the stable code. */
export const pageError = (error: unknown): ErrorMessage => pageMessage(errorMessage(error));

/** What an objection or a warning says. */
export const pageNotice = (notice: Notice<ObjectionCode | WarningCode>): Message => pageMessage(noticeMessage(notice));
