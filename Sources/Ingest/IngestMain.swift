@main
enum IngestMain {
    static func main() {}
}
