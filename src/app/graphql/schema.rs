//! The schema, as async-graphql makes it of resolvers, and the two ways in which these ask the database.
//!
//! A resolver is called for each object on its own, and knows of no other. So a list of comments asks for the author of
//! each: one query for the list, and one for each of its N entries. A *data loader* collects what the resolvers of one
//! level want, and asks once for all.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{Context, EmptyMutation, EmptySubscription, Object, Result};

use super::blog::{Blog, Comment, Keys, Post, User};
use crate::app::database::DatabaseError;

/// The schema with its resolvers.
pub(super) type Schema = async_graphql::Schema<Query, EmptyMutation, EmptySubscription>;

/// The most fields of a query, and the most objects of an answer: what is sent back grows with the product of both.
const MOST_FIELDS: usize = 200;
const MOST_OBJECTS: usize = 10_000;

/// The schema; queries that are nested more than `max_depth` deep are refused, and all that are nested out of reason.
pub(super) fn schema(max_depth: Option<usize>) -> Schema {
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription).limit_complexity(MOST_FIELDS);
    max_depth.into_iter().fold(schema, async_graphql::SchemaBuilder::limit_depth).finish()
}

/// What the resolvers of one request find the blog's things through.
pub(super) struct Finder {
    blog: Blog,
    loader: Option<DataLoader<Batches>>,
    objects: AtomicUsize,
}

impl Finder {
    /// One for a request. With `batch` there is a data loader.
    pub(super) fn new(blog: Blog, batch: bool) -> Finder {
        let loader = || DataLoader::new(Batches(blog.clone()), tokio::task::spawn_local);
        Finder { loader: batch.then(loader), blog, objects: AtomicUsize::new(0) }
    }

    async fn user(&self, id: i32) -> Result<Option<User>> {
        let found = match &self.loader {
            Some(loader) => loader.load_one(UserId(id)).await?,
            None => self.blog.users(Keys::One("id", id)).await?.pop(),
        };
        self.counted(found.is_some().into()).map(|()| found)
    }

    async fn post(&self, id: i32) -> Result<Option<Post>> {
        let found = self.blog.posts(Keys::One("id", id)).await?.pop();
        self.counted(found.is_some().into()).map(|()| found)
    }

    async fn posts(&self) -> Result<Vec<Post>> {
        let found = self.blog.posts(Keys::Any).await?;
        self.counted(found.len()).map(|()| found)
    }

    async fn posts_by(&self, author: i32) -> Result<Vec<Post>> {
        let found = match &self.loader {
            Some(loader) => loader.load_one(PostsBy(author)).await?.unwrap_or_default(),
            None => self.blog.posts(Keys::One("author_id", author)).await?,
        };
        self.counted(found.len()).map(|()| found)
    }

    async fn comments_on(&self, post: i32) -> Result<Vec<Comment>> {
        let found = match &self.loader {
            Some(loader) => loader.load_one(CommentsOn(post)).await?.unwrap_or_default(),
            None => self.blog.comments(Keys::One("post_id", post)).await?,
        };
        self.counted(found.len()).map(|()| found)
    }

    fn counted(&self, objects: usize) -> Result<()> {
        let before = self.objects.fetch_add(objects, Ordering::Relaxed);
        if before.saturating_add(objects) <= MOST_OBJECTS {
            Ok(())
        } else {
            Err(format!("an answer has at most {MOST_OBJECTS} objects").into())
        }
    }
}

/// What a data loader asks for at once.
struct Batches(Blog);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct UserId(i32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct PostsBy(i32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CommentsOn(i32);

/// The keys in their order: the loader has them in one that differs from run to run.
fn in_order<K: Copy>(keys: &[K], number: impl Fn(K) -> i32) -> Vec<i32> {
    keys.iter().map(|key| number(*key)).collect::<BTreeSet<i32>>().into_iter().collect()
}

fn grouped<K: Eq + Hash, T>(found: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut groups: HashMap<K, Vec<T>> = HashMap::new();
    for each in found {
        groups.entry(key(&each)).or_default().push(each);
    }
    groups
}

impl Loader<UserId> for Batches {
    type Value = User;
    type Error = DatabaseError;

    async fn load(&self, keys: &[UserId]) -> Result<HashMap<UserId, User>, DatabaseError> {
        let ids = in_order(keys, |UserId(id)| id);
        let users = self.0.users(Keys::Each("id", &ids)).await?;
        Ok(users.into_iter().map(|user| (UserId(user.id), user)).collect())
    }
}

impl Loader<PostsBy> for Batches {
    type Value = Vec<Post>;
    type Error = DatabaseError;

    async fn load(&self, keys: &[PostsBy]) -> Result<HashMap<PostsBy, Vec<Post>>, DatabaseError> {
        let authors = in_order(keys, |PostsBy(author)| author);
        let posts = self.0.posts(Keys::Each("author_id", &authors)).await?;
        Ok(grouped(posts, |post| PostsBy(post.author_id)))
    }
}

impl Loader<CommentsOn> for Batches {
    type Value = Vec<Comment>;
    type Error = DatabaseError;

    async fn load(&self, keys: &[CommentsOn]) -> Result<HashMap<CommentsOn, Vec<Comment>>, DatabaseError> {
        let posts = in_order(keys, |CommentsOn(post)| post);
        let comments = self.0.comments(Keys::Each("post_id", &posts)).await?;
        Ok(grouped(comments, |comment| CommentsOn(comment.post_id)))
    }
}

/// Where every query begins.
pub(super) struct Query;

#[Object]
impl Query {
    /// The post of that number.
    async fn post(&self, context: &Context<'_>, id: i32) -> Result<Option<Post>> {
        context.data::<Finder>()?.post(id).await
    }

    /// All posts.
    async fn posts(&self, context: &Context<'_>) -> Result<Vec<Post>> {
        context.data::<Finder>()?.posts().await
    }

    /// The user of that number.
    async fn user(&self, context: &Context<'_>, id: i32) -> Result<Option<User>> {
        context.data::<Finder>()?.user(id).await
    }
}

/// A post.
#[Object]
impl Post {
    async fn id(&self) -> i32 {
        self.id
    }

    async fn title(&self) -> &str {
        &self.title
    }

    async fn text(&self) -> &str {
        &self.text
    }

    /// Who wrote it.
    async fn author(&self, context: &Context<'_>) -> Result<Option<User>> {
        context.data::<Finder>()?.user(self.author_id).await
    }

    /// What others say of it.
    async fn comments(&self, context: &Context<'_>) -> Result<Vec<Comment>> {
        context.data::<Finder>()?.comments_on(self.id).await
    }
}

/// What somebody says of a post.
#[Object]
impl Comment {
    async fn id(&self) -> i32 {
        self.id
    }

    async fn text(&self) -> &str {
        &self.text
    }

    /// Who says it.
    async fn author(&self, context: &Context<'_>) -> Result<Option<User>> {
        context.data::<Finder>()?.user(self.author_id).await
    }
}

/// Somebody who writes.
#[Object]
impl User {
    async fn id(&self) -> i32 {
        self.id
    }

    async fn name(&self) -> &str {
        &self.name
    }

    async fn email(&self) -> &str {
        &self.email
    }

    async fn bio(&self) -> &str {
        &self.bio
    }

    /// What they wrote.
    async fn posts(&self, context: &Context<'_>) -> Result<Vec<Post>> {
        context.data::<Finder>()?.posts_by(self.id).await
    }
}
