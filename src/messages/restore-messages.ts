/** Texts for what a plan to restore a backup says. */
import { type RestoreObjectionCode, type RestorePlan, type RestoreWarningCode } from '#workflows/restore.ts';
import { type Message, type Values, valuesOf } from './message.ts';
import { noticeMessage } from './plan-messages.ts';
import { addressText, bytesText } from './units.ts';

const TEXTS: Record<RestoreObjectionCode | RestoreWarningCode, (values: Values) => Message> = {
  'backup-wrong-chip': ({ t }) => ({
    what: `This backup is of an ${t('has')}, the board is an ${t('chip')}.`,
    todo: `Take a board with an ${t('has')}.`,
  }),
  'backup-beyond-flash': ({ n }) => ({
    what: `The backup reaches up to ${addressText(n('end'))}, the flash has only ${bytesText(n('flashSize'))}.`,
    todo: 'Take a board with as much flash, or restore only those partitions that fit.',
  }),
  'backup-encrypted': ({ t }) => ({
    what: `The flash of ${t('mac') || 'that board'} was encrypted when it was read: only that very chip has the key.`,
    todo: 'Take that board; to another one its contents are rubbish.',
  }),
  'backup-part-missing': ({ n, t }) => ({
    what: `The backup does not hold all that is asked for: ${t('label')} is missing from ${addressText(n('at'))} on.`,
    todo: 'Ask for what it holds, or take another backup.',
  }),
  'backup-partition-elsewhere': ({ n, t }) => ({
    what: `The table of this board has no such partition ${t('label')} at ${addressText(n('at'))}.`,
    todo: 'Restore the partition table as well, or the whole backup.',
  }),
  'backup-other-mac': ({ t }) => ({
    what: `This backup is of ${t('backup')}, the board is ${t('board')}: the board becomes a copy of the other one.`,
  }),
  'backup-mac-unknown': () => ({ what: 'Whether this backup is of this board cannot be told.' }),
  'backup-has-settings': ({ n, t }) => ({
    what: `${t('label')} has ${n('count')} settings of the other board. What tells devices apart (serial numbers, certificates, names) is there twice then.`,
  }),
  'backup-has-calibration': ({ t }) => ({
    what: `${t('label')} has the calibration of the other board's radio. The firmware finds another MAC in it and calibrates anew.`,
  }),
  'backup-has-encrypted-settings': ({ t }) => ({
    what: `${t('label')} is encrypted, and its key is not in this backup. A key in the eFuses is the other chip's alone: on this board the settings cannot be read.`,
  }),
  'backup-has-settings-key': ({ t }) => ({
    what: `${t('label')} is encrypted, and its key is restored too: this board has the same key as the other one then.`,
  }),
};

/** What an objection or a warning of such a plan says. */
export function restoreNoticeMessage(notice: RestorePlan['objections' | 'warnings'][number]): Message {
  const text = (TEXTS as Readonly<Record<string, ((values: Values) => Message) | undefined>>)[notice.code];
  return text ? text(valuesOf(notice.values)) : noticeMessage(notice as Parameters<typeof noticeMessage>[0]);
}
