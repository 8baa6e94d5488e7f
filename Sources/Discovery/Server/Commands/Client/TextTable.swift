internal import DiscoveryWire

/// Columns as wide as what is in them, for people. What comes from the registry may hold anything;
/// a terminal gets none of it that is not printable.
struct TextTable {
    private var rows: [[String]]

    init(_ head: String...) { rows = [head] }

    mutating func add(_ row: String...) { rows.append(row.map { Message.shown($0) }) }

    var lines: [String] {
        var widths = [Int](repeating: 0, count: rows[0].count)
        for row in rows {
            for (column, cell) in row.enumerated() {
                widths[column] = max(widths[column], cell.count)
            }
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 {
                    line += String(repeating: " ", count: widths[column] - cell.count + 2)
                }
            }
            return line
        }
    }

    func show() throws(CommandFailure) {
        for line in lines { try CommandOutput.write(line: line) }
    }
}
