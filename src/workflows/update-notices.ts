/** What the plan of a network update has to say, as codes with their values; the words for people are made in `messages`. */
import { type Notice, type ObjectionCode, type PlanSubject } from './plan-notices.ts';

/** Why an update must not be started. Those of images and data are the same as when a board is provisioned. */
export type UpdateObjectionCode =
  | Extract<
      ObjectionCode,
      'wrong-chip' | 'image-wrong-chip' | 'chip-revision' | 'image-damaged' | 'too-large' | 'data-refused'
    >
  /** Nothing answers at the address of the board. */
  | 'board-silent'
  /** Something answers, but not with the page of a board with two slots. */
  | 'board-page-unknown'
  /** The page does not tell which slot runs. */
  | 'running-slot-unknown'
  /** The firmware has no page that could tell how an update went. */
  | 'no-index-page'
  /** The release has builds for several chips, and which one the board has is not known. */
  | 'chip-unknown'
  /** The release's table has no two slots. */
  | 'no-two-slots'
  /** The app fills its slot to the last byte, which the running firmware cannot write. */
  | 'app-fills-slot'
  /** The data have another form than the firmware takes, or none of the two. */
  | 'data-wrong-form'
  /** The board could take the data for an app. */
  | 'data-could-boot'
  /** Only data are wanted, and the release has none. */
  | 'no-data'
  /** What the board would be told to download is longer than its firmware takes. */
  | 'url-too-long'
  /** This computer has no address in the network of the board. */
  | 'no-address-for-board'
  /** The second listener, from which boards download, is not open. */
  | 'boards-listener-closed'
  /** Another update of this board is not over. */
  | 'update-in-progress';

export type UpdateWarningCode =
  /** The release has no data: the slot of the old data will hold the app, that of the old app stays as it is. */
  | 'no-data-in-release'
  /** The board runs this version already. */
  | 'same-version'
  /** How large the board's slots are is not known; those of the release's table are taken. */
  | 'slot-sizes-assumed'
  /** And the release has no table either. */
  | 'slot-sizes-unknown'
  /** Old and new data begin alike: the page cannot tell them apart, only the bytes that were fetched can. */
  | 'data-look-alike'
  /** What the running firmware can do is not known: it is taken for the firmware of the demo. */
  | 'running-firmware-unknown'
  /** The app was built for another chip revision than is known; and other notes of the release. */
  | 'note';

/** What the user has to say yes to, each by itself. */
export type UpdateConsentCode =
  /** The old data are not at hand: if step 1 fails they cannot be put back. */
  | 'no-way-back'
  /** The board runs another product than the release is. */
  | 'other-project';

export type UpdateNoticeCode = UpdateObjectionCode | UpdateWarningCode | UpdateConsentCode;

export type UpdateSubject = Extract<PlanSubject, 'release' | 'chip' | 'app' | 'data' | 'other'> | 'board' | 'way-back';

export interface UpdateNotice<Code extends UpdateNoticeCode = UpdateNoticeCode> {
  code: Code;
  subject: UpdateSubject;
  /** Numbers are bytes, strings are names. */
  values: Notice['values'];
}

export const updateNotice = <Code extends UpdateNoticeCode>(
  code: Code,
  subject: UpdateSubject,
  values: Notice['values'] = {},
): UpdateNotice<Code> => ({ code, subject, values });
