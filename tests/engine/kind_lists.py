"""Of which kind the names of eight novels are, judged by hand; five mentions or more, and no doubt."""

KINDS = {
    "arthur-conan-doyle_the-adventures-of-sherlock-holmes": {
        "person": """
            Sherlock Holmes, Watson, Lestrade, Mr. McCarthy, Lord St. Simon, Hosmer Angel, Miss
            Mary Sutherland, Jabez Wilson, Miss Hunter, Mr. Rucastle, Neville St. Clair, James
            Windibank, Miss Stoner, Arthur, Dr. Grimesby Roylott, Frank, Irene Adler, John
            Openshaw, King, Mr. Holder, Miss Alice, Mr. Duncan Ross, Miss Turner, John Horner,
            Mrs. Rucastle, Mr. Merryweather, Sir George Burnwell, Lascar, Inspector Bradstreet,
            James Ryder, Jones, Peterson, Mrs. St. Clair, Colonel Lysander Stark, Pa, Toller,
            Vincent Spaulding, Mr. John Turner, Hugh Boone, Henry Baker, Flora Millar,
            Breckinridge, Mrs. Oakshott, King of Bohemia, Godfrey Norton, Lord Robert St. Simon,
            Lady St. Simon, Miss Stoper, Mrs. Toller, Mr. Aloysius Doran, Mr. Fowler
        """,
        "place": """
            London, Baker Street, England, Briony Lodge, Scotland Yard, Reading, Boscombe Pool,
            Horsham, America, Winchester, Stoke Moran, Eyford, Waterloo, Serpentine Avenue,
            France, Paddington, Lee, Copper Beeches, Europe, Saxe-Coburg Square, Bristol,
            Brixton, China, Leadenhall Street, Boscombe Valley, Victoria Street, Ballarat,
            Pondicherry, Dundee, Surrey
        """,
        "other": """
            League, Assizes, Lone Star, Encyclopedia Britannica
        """,
    },
    "charles-dickens_a-christmas-carol": {
        "person": """
            Ebenezer Scrooge, Ghost, Spirit, Bob Cratchit, Marley, Mrs. Cratchit, Tiny Tim,
            Peter Cratchit, Joe, Jacob Marley, Fezziwig, Cratchits, Phantom, Martha, Fred, Dick,
            Topper, Mrs. Fezziwig, Mrs. Dilber
        """,
        "other": """
            Future, Christmastime
        """,
    },
    "herman-melville_moby-dick": {
        "person": """
            Ahab, Massa Stubb, Queequeg, Starbuck, Flask, Jonah, Bildad, Pip, Captain Peleg,
            Tashtego, Steelkilt, Daggoo, Parsee, John Leo, Fedallah, Radney, Ishmael, Gabriel,
            Perth, Dough-Boy, Elijah, Mrs. Hussey, Manxman, Derick, Perseus, Fleece,
            Guernsey-man, Frederick Cuvier, Jove, Father Mapple, Macey, Captain Scoresby, Don
            Sebastian, St. George, Vishnu, Bulkington, Noah, Captain Sleet, Solomon, Captain
            Mayhew, Aunt Charity, Pliny, Adam, Beale, Hercules, Cabaco, Lazarus, Hosea Hussey,
            Linnaeus, Owen, Belshazzar, Archy, Langsdorff, Don Pedro, King Tranquo
        """,
        "place": """
            Nantucket, Cape Horn, Greenland, Pacific, New England, New Bedford, Atlantic,
            America, London, Lima, China, Mediterranean, Japan, Joppa, Andes, Africa, Tarshish,
            Vineyard, Java, Sumatra, Nineveh, Tahiti, Sunda, New Zealand, Rome, France, Manilla,
            Tranque
        """,
        "other": """
            Pequod, Sperm, Nantucketer, Huzza Porpoise, Fast-Fish, Folio, Town-Ho, Nantucketers,
            Ramadan, Japanese, Quaker, Octavo, Heidelburgh Tun, Quohog, Bible, Duodecimo,
            Finback, Narwhale, Canallers, Egyptian, Yarman, Typhoon, Americans, Persian,
            Equator, States, Euroclydon, Chinese, Jungfrau
        """,
    },
    "jane-austen_pride-and-prejudice": {
        "person": """
            Miss Elizabeth Bennet, Mr. Darcy, Jane, Mr. Bingley, George Wickham, Lydia, Mrs.
            Bennet, Mr. Collins, Lady Catherine de Bourgh, Caroline Bingley, Mr. Bennet,
            Charlotte Lucas, Kitty, Miss Bennet, Mrs. Gardiner, Sir William Lucas, Miss Darcy,
            Colonel Fitzwilliam, Mr. Gardiner, Miss Lucas, Mrs. Collins, Mrs. Philips, Colonel
            Forster, Mrs. Hurst, Maria Lucas, Miss de Bourgh, Lady Lucas, Georgiana, Mr. Hurst,
            Mr. Denny, Mrs. Forster, Mrs. Reynolds, Mrs. Jenkinson, Mrs. Hill, Charles, Louisa,
            Gardiners, Collinses, Mr. Philips, Mr. Jones, Anne, Bingleys
        """,
        "place": """
            Longbourn, Netherfield, Meryton, London, Pemberley, Rosings, Hertfordshire, Hunsford
            Parsonage, Derbyshire, Brighton, Kent, Lambton, Scotland, Gracechurch-street, Lakes,
            England, Lucas Lodge
        """,
    },
    "lewis-carroll_alices-adventures-in-wonderland": {
        "person": """
            Alice, Queen, King, Mock Turtle, Hatter, Gryphon, White Rabbit, Duchess, Dormouse,
            Hare, Mouse, Cheshire Cat, Caterpillar, Bill, Dodo, Dinah, Pigeon, Footman, Lory,
            Knave of Hearts, Lizard, Knave
        """,
        "other": """
            Soo-oop
        """,
    },
    "mary-shelley_frankenstein": {
        "person": """
            Elizabeth Lavenza, Henry Clerval, Justine Moritz, Felix, Victor, Frankenstein,
            William, Safie, Agatha, Arabian, Ernest, Mr. Kirwin, Margaret, Turk, M. Waldman, De
            Lacey, Caroline Beaufort, Cornelius Agrippa, Walton
        """,
        "place": """
            Geneva, England, Ingolstadt, Switzerland, Paris, London, Mont Blanc, Italy, Rhine,
            Leghorn, France, Jura, Alps, Chamounix, Scotland, Oxford
        """,
    },
    "p-g-wodehouse_love-among-the-chickens": {
        "person": """
            Ukridge, Beale, Mr. Garnet, Phyllis Derrick, Tom Chase, Mrs. Ukridge, Mr. Hawk, Bob,
            Millie, Garny, Aunt Elizabeth, Mrs. Beale, Hired Retainer, Edwin, Professor Derrick,
            Harrod, Charlie, Miss Derrick, Mr. Harry Hawk, Aunty, Mrs. Medley, Jane Muspratt,
            Jeremy Garnet, Stanley, Tilden Slosh, Stanley Featherstonehaugh Ukridge, Derricks,
            Mr. Derrick
        """,
        "place": """
            Combe Regis, London, Cob, Axminster, Yeovil, England, Ireland, Waterloo, Dawlish
        """,
        "other": """
            Manœuvres of Arthur, Pamela, Jove, Fate
        """,
    },
    "samuel-pepys_the-diary": {
        "person": """
            King, Duke of York, W. Penn, W. Batten, Duke, Mr. Creed, G. Carteret, W. Coventry,
            J. Minnes, Lord Sandwich, Lord Brouncker, Mr. Coventry, Lady, Lord Chancellor, Mr.
            Moore, Queen, Captain Cocke, Mrs. Turner, Tom, W. Hewer, Duke of Albemarle, Mr.
            Povy, Mercer, Mr. Pierce, Prince, Roger Pepys, Jane Welsh, Mrs. Pierce, Duke of
            Buckingham, Deb, W. Howe, Balty, Mr. Sheply, Ashwell, Penn, Luellin, Unthanke, Pall,
            Knepp, Secretary, W. Batelier, Bagwell, Pope, Bishop, Tom Trice, Speaker, Besse,
            Joyces, Alderman Backwell, Bab
        """,
        "place": """
            Whitehall, Tangier Committee, Westminster Hall, Exchange, Deptford, Temple Bar,
            Park, Woolwich, Tower, Wardrobe, Old Swan, Greenwich, England, France, Exchequer,
            Chatham, Brampton Court, Portsmouth, Holland, Cambridge, Gresham College, East
            India, Charing Cross, Ireland, Redriffe, Spain, Banstead Downs, Inn, Cheapside,
            Harwich, Portugal, Islington, Guinea, Gravesend, Lombard Street, Hampton Court,
            Dover Castle, Thames Street, Strand, Westminster Abbey, Flanders, Lincoln, Scotland,
            Bow Street, Huntingdon, Fenchurch Street, Hague, Halfway, Holborne, Guildhall,
            Plymouth, Cornhill, Walthamstow, Chancery Lane, Rome, Bishopsgate Street, Sheerness,
            Broad Street, Ludgate Hill
        """,
        "other": """
            Parliament Committee, Navy, Council, Privy Seal, Treasury, Act, Committee of
            Tangier, Excise, Admiralty, Papists, Captn, Rhenish, Ordnance, Royal Fishery, Mole,
            Opera, History, Acts, Royal Society, Spaniards, Harp, Catholic, Coffee
        """,
    },
}
