/** Small facts about the backup of a board. */
import { type FlashCosts } from '#device/flash-costs.ts';
import { type BackupManifest } from '#formats/backup/backup.ts';
import { backupTime } from '#workflows/backup.ts';
import { type BoardState, isLocked } from '#workflows/board-state.ts';

/** The time now, as a manifest has it. */
export const timestamp = (): string => new Date().toISOString();

/** `esp32-240ac4123456-2026-07-31.backup`. */
export const backupFileName = ({ chip, mac = '', created }: BackupManifest): string =>
  `${[chip, mac.replaceAll(':', ''), created.slice(0, 10)].filter(Boolean).join('-')}.backup`;

/** Whether there is anything to lose on the board, and it can be read. */
export const isWorthBackup = (board: BoardState): boolean =>
  !isLocked(board.identity) &&
  (board.table !== undefined || board.bootloader !== undefined || board.nvs !== undefined || board.unknown);

/** Seconds that a backup of the board takes at most. */
export const backupSeconds = ({ flashSize }: BoardState, costs: FlashCosts): number =>
  backupTime(flashSize, costs) / 1000;
