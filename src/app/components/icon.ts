/** What a part takes as its icon: one of Lucide's, or anything that draws itself at a size. */
import { type Component } from 'svelte';

/** An alias, not an interface: Lucide's icons take any further attribute, which an interface would not match. */
export type IconProps = {
  size?: number | string;
  strokeWidth?: number | string;
  'aria-hidden'?: 'true';
};

export type Icon = Component<IconProps>;
