// HACK: is seen in other languages too
export const word = "HACKS is another word";
