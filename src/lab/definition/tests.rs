use super::*;

#[test]
fn every_lab_of_the_repository_is_read_with_all_its_breaks() {
    let labs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("labs");
    let catalogue = crate::lab::Catalogue::in_folder(&labs).expect("the labs are there");
    let ids: Vec<&str> = catalogue.entries().iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, ["10-three-way-handshake", "14-tcp-vs-udp-under-loss", "20-rto-backoff"]);
    for entry in catalogue.entries() {
        let definition = Definition::parse(&entry.file, &entry.text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(definition.id, entry.id, "a lab's folder has its id as name");
    }
}
