import Deaths
import Testing
