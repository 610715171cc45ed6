/** A real firmware (MicroPython for ESP32, 1.7 MB), which is not part of the project: tests that need it are skipped without it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = process.env['TWOSTEP_FIRMWARE'] ?? join(import.meta.dirname, '../../../shared/firmware');

export const FIRMWARE_FILE = join(FOLDER, 'ESP32_GENERIC-20250911-v1.26.1.bin');
export const hasFirmware = existsSync(FIRMWARE_FILE);
