// All of it is in the header, to be inlined; a target of C must have a source.
#include "CTexts.h"
