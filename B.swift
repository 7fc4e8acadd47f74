import A
package func f(_ r: R, _ b: UnsafeRawBufferPointer) -> Int { r.bytes(in: b).count }
package func g(_ r: R) -> Int { r.sum() }
