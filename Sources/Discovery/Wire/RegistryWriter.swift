package import DiscoveryCore

/// Writes the answer of `fetch/all` in pieces, because a large registry is hundreds of megabytes:
/// the caller sends one piece while it makes the next, off the queue.
///
/// Instances are grouped by appid alone, over all envs, as the reference answers.
package struct RegistryWriter: Sendable {
    /// Bytes after which a piece ends, so that one fits into a cache.
    package static let pieceBytes = 256 * 1024

    private let rows: [RegistryView.Row]
    private var next = 0
    private var isEnded = false

    package init(_ view: RegistryView) { rows = view.rows }

    /// Appends a piece of at least `pieceBytes`, or the rest. Whether that was the last one.
    package mutating func append(
        to out: inout [UInt8], pieceBytes: Int = RegistryWriter.pieceBytes
    ) -> Bool {
        if isEnded { return true }
        let start = out.count
        if next == 0 { out.append(AnswerWriter.dataHead + "{") }
        while next < rows.count {
            if next > 0, out.count - start >= pieceBytes { return false }
            append(next, to: &out)
            next += 1
        }
        out.append(rows.isEmpty ? "}}" : "]}}")
        isEnded = true
        return true
    }

    private func append(_ index: Int, to out: inout [UInt8]) {
        let row = rows[index]
        if index > 0, isSameApp(index - 1, index) {
            out.append(",")
        } else {
            if index > 0 { out.append("],") }
            let key = row.instance.key
            out.append(quoted: key.appid, of: key.packed)
            out.append(":[")
        }
        out.append(addingCapacity: InstanceWriter.bound(row.instance, env: nil)) { out in
            InstanceWriter.write(row.instance, renewed: row.renewed, env: nil, to: &out)
        }
    }

    private func isSameApp(_ left: Int, _ right: Int) -> Bool {
        let one = rows[left].instance.key
        let other = rows[right].instance.key
        return one.packed[one.appid.range].elementsEqual(other.packed[other.appid.range])
    }
}
