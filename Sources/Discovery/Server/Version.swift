/// What this program calls itself.
enum Version {
    static let number = "1.0.0"
}
