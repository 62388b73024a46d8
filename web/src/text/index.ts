/** The page's texts, in the language it is shown in. */
import { type Catalogue, en } from './en';

export const text: Catalogue = en;
