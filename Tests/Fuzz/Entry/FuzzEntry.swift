// What libFuzzer calls; its library brings `main`. Built by scripts/fuzz only, see Package.swift.

import FuzzDesk
import FuzzProperties
import Glibc

/// The property that this process holds inputs against, by the environment.
private let property: any FuzzProperty = {
    guard let name = getenv("FUZZ_TARGET"), let folder = getenv("FUZZ_FOLDER"),
        let target = FuzzTargets.named(String(cString: name))
    else { preconditionFailure("FUZZ_TARGET names no target, or FUZZ_FOLDER is missing") }
    return target.init(folder: String(cString: folder))
}()

/// Holds one input against the property; traps, and so tells libFuzzer, where it does not hold.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do {
        _ = try property.check(UnsafeRawBufferPointer(start: start, count: count))
    } catch {
        fatalError("\(type(of: property).name): \(error)")
    }
    return 0
}
