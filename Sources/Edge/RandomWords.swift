/// Random bits for click ids: xoshiro256** (Blackman and Vigna, 2018), seeded by the kernel. Unique
/// is what they have to be, not unguessable: an id opens nothing.
struct RandomWords {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    /// - Parameter seed: four words from the kernel; not all zero, which is the generator's one
    ///   dead state.
    init(seed: [UInt64]) {
        precondition(seed.count == 4 && seed != [0, 0, 0, 0], "a seed is four words, not all 0")
        state = (seed[0], seed[1], seed[2], seed[3])
    }

    @inline(__always)
    mutating func next() -> UInt64 {
        let result = rotated(state.1 &* 5, by: 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotated(state.3, by: 45)
        return result
    }

    @inline(__always)
    private func rotated(_ word: UInt64, by bits: UInt64) -> UInt64 {
        word &<< bits | word &>> (64 &- bits)
    }
}
