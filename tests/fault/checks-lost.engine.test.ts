import { testPart } from './short-forms.ts';

testPart(0);
