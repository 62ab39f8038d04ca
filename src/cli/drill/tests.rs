use super::*;

#[test]
fn captures_of_scripts_with_one_name_do_not_meet() {
    let mut taken = BTreeSet::new();
    let names: Vec<String> = ["a/x.pkt", "b/x.pkt", "x-2.pkt", "c/x.pkt"]
        .iter()
        .map(|path| fresh_name(Path::new(path), &mut taken))
        .collect();
    assert_eq!(names, ["x", "x-2", "x-2-2", "x-3"]);
}
