import Glibc

/// The seed of a random test: from the environment, or drawn anew. Printed with every failure.
struct Seed: CustomStringConvertible {
    let value: UInt64
    let variable: String

    init(_ variable: String) {
        self.variable = variable
        if let text = unsafe getenv(variable), let value = unsafe UInt64(String(cString: text)) {
            self.value = value
        } else {
            value = UInt64.random(in: 0..<UInt64.max)
        }
    }

    var generator: SplitMix64 { SplitMix64(state: value) }
    var description: String { "\(variable)=\(value)" }
}

/// Small, and the same on every machine.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed &>> 31)
    }
}
