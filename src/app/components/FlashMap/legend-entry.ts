/** A numbered box of the map, and what it stands for. */
import { type FlashArea } from './flash-area.ts';

export interface LegendEntry {
  area: FlashArea;
  number: number;
}
